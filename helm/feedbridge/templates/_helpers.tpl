{{- define "feedbridge.name" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Labels by which the pods of this release are found; they never change. */}}
{{- define "feedbridge.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "feedbridge.workers" -}}
{{ include "feedbridge.selector" . }}
app.kubernetes.io/component: worker
{{- end -}}

{{- define "feedbridge.labels" -}}
{{ include "feedbridge.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "feedbridge.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}
{{- end -}}

{{/* A setting by its path, or what the program takes where it is missing. */}}
{{- define "feedbridge.setting" -}}
{{- $at := .settings -}}
{{- range splitList "." .path -}}
{{- $at = ternary (index (dict "x" $at) "x") (dict) (kindIs "map" $at) -}}
{{- $at = ternary (index $at .) "" (hasKey $at .) -}}
{{- end -}}
{{- if kindIs "string" $at -}}{{ default .default $at }}
{{- else if kindIs "invalid" $at -}}{{ .default }}
{{- else if kindIs "map" $at -}}{{ .default }}
{{- else -}}{{ $at }}{{- end -}}
{{- end -}}

{{- define "feedbridge.mode" -}}
{{- $own := .Values.settings.ownership -}}
{{- if kindIs "string" $own -}}{{ $own }}
{{- else -}}{{ include "feedbridge.setting" (dict "settings" .Values.settings "path" "ownership.mode" "default" "group") }}
{{- end -}}
{{- end -}}

{{/* The settings file: as given, with the chart's one default. */}}
{{- define "feedbridge.settings" -}}
{{- $settings := deepCopy .Values.settings -}}
{{- if kindIs "map" $settings.ownership -}}
{{- $_ := set $settings.ownership "mode" (include "feedbridge.mode" .) -}}
{{- else -}}
{{- $_ := set $settings "ownership" (include "feedbridge.mode" .) -}}
{{- end -}}
{{ toYaml $settings }}
{{- end -}}

{{- define "feedbridge.port" -}}
{{ include "feedbridge.setting" (dict "settings" .Values.settings "path" "http.port" "default" "9464") }}
{{- end -}}

{{- define "feedbridge.brokers" -}}
{{ include "feedbridge.setting" (dict "settings" .Values.settings "path" "kafka.bootstrap_servers" "default" "localhost:9092") }}
{{- end -}}

{{- define "feedbridge.registry" -}}
{{ include "feedbridge.setting" (dict "settings" .Values.settings "path" "registry.url" "default" "") }}
{{- end -}}
