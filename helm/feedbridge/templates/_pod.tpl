{{/* What every pod of the chart has: the restricted profile, and nothing writable. */}}
{{- define "feedbridge.pod" -}}
automountServiceAccountToken: false
serviceAccountName: {{ .Values.pod.serviceAccountName }}
enableServiceLinks: false
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: {{ int64 .Values.pod.runAsUser }}
  runAsGroup: {{ int64 .Values.pod.runAsUser }}
  fsGroup: {{ int64 .Values.pod.fsGroup }}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- with .Values.pod.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.pod.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* (root, settings: name of the ConfigMap) */}}
{{- define "feedbridge.volumes" -}}
volumes:
  - name: settings
    configMap:
      name: {{ .settings }}
  {{- range .root.Values.secrets }}
  - name: secret-{{ .at }}
    secret:
      secretName: {{ .secret }}
      defaultMode: 0440
  {{- end }}
  {{- range .root.Values.configMaps }}
  - name: files-{{ .at }}
    configMap:
      name: {{ .configMap }}
  {{- end }}
{{- end -}}

{{- define "feedbridge.container" -}}
image: {{ include "feedbridge.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  privileged: false
  readOnlyRootFilesystem: true
  runAsNonRoot: true
  capabilities:
    drop: [ALL]
  seccompProfile:
    type: RuntimeDefault
env:
  - name: FEEDBRIDGE_CONFIG
    value: /etc/feedbridge/settings/settings.yaml
  - name: FEEDBRIDGE_WORKER__NAME
    valueFrom:
      fieldRef:
        fieldPath: metadata.name
  {{- if not (include "feedbridge.setting" (dict "settings" .Values.settings "path" "http.host" "default" "")) }}
  - name: FEEDBRIDGE_HTTP__HOST
    value: 0.0.0.0
  {{- end }}
  {{- with .Values.env }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
volumeMounts:
  - name: settings
    mountPath: /etc/feedbridge/settings
    readOnly: true
  {{- range .Values.secrets }}
  - name: secret-{{ .at }}
    mountPath: /run/secrets/{{ .at }}
    readOnly: true
  {{- end }}
  {{- range .Values.configMaps }}
  - name: files-{{ .at }}
    mountPath: /etc/feedbridge/{{ .at }}
    readOnly: true
  {{- end }}
{{- end -}}

{{/* (kind, root, path) */}}
{{- define "feedbridge.probe" -}}
{{- $probe := index .root.Values.probes .kind -}}
httpGet:
  path: {{ .path }}
  port: http
periodSeconds: {{ int $probe.periodSeconds }}
failureThreshold: {{ int $probe.failureThreshold }}
timeoutSeconds: {{ int .root.Values.probes.timeoutSeconds }}
{{- end -}}

{{- define "feedbridge.spread" -}}
{{- range $value, $key := dict "hosts" "kubernetes.io/hostname" "zones" "topology.kubernetes.io/zone" -}}
{{- $when := index $.Values.spread $value -}}
{{- if ne $when "Off" }}
- maxSkew: 1
  topologyKey: {{ $key }}
  whenUnsatisfiable: {{ $when }}
  labelSelector:
    matchLabels:
      {{- include "feedbridge.workers" $ | nindent 6 }}
{{- end -}}
{{- end -}}
{{- end -}}
