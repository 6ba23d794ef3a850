{{/* Values that contradict each other end here, each with a sentence. */}}
{{- define "feedbridge.checks" -}}
{{- include "feedbridge.checks.stop" . -}}
{{- include "feedbridge.checks.workers" . -}}
{{- include "feedbridge.checks.secrets" . -}}
{{- include "feedbridge.checks.numbers" (dict "at" "settings" "value" .Values.settings) -}}
{{- if and (eq .Values.install "kafka") (not .Values.strimzi.topics) -}}
{{- fail "strimzi.topics is empty, and install is kafka; give what `feedbridge topics --json` prints with --set-json strimzi.topics=..." -}}
{{- end -}}
{{- end -}}

{{- define "feedbridge.checks.stop" -}}
{{- $settings := .Values.settings -}}
{{- $grace := include "feedbridge.setting" (dict "settings" $settings "path" "stop.grace_seconds" "default" "30") | float64 -}}
{{- $flush := include "feedbridge.setting" (dict "settings" $settings "path" "kafka.flush_timeout_s" "default" "20") | float64 -}}
{{- $kill := float64 .Values.terminationGracePeriodSeconds -}}
{{- if lt $kill (addf $grace 5) -}}
{{- fail (printf "terminationGracePeriodSeconds (%v) leaves a worker too little time to stop: settings.stop.grace_seconds is %v; give at least %v, or lower the setting" $kill $grace (addf $grace 5)) -}}
{{- end -}}
{{- if lt $grace (addf $flush 2) -}}
{{- fail (printf "settings.stop.grace_seconds (%v) leaves no time to flush for settings.kafka.flush_timeout_s (%v); give at least %v" $grace $flush (addf $flush 2)) -}}
{{- end -}}
{{- range $topic, $part := (default (dict) $settings.commands) -}}
{{- $answer := divf (include "feedbridge.setting" (dict "settings" $part "path" "answer_timeout_ms" "default" "5000") | float64) 1000 -}}
{{- if lt $grace (addf $answer 11) -}}
{{- fail (printf "settings.stop.grace_seconds (%v) leaves commands of %s no time for their answers (answer_timeout_ms, %v s), since a stop keeps 11 s to leave Kafka in order; give at least %v, or lower answer_timeout_ms" $grace $topic $answer (addf $answer 11)) -}}
{{- end -}}
{{- if lt $grace (addf $flush $answer) -}}
{{- fail (printf "settings.stop.grace_seconds (%v) is less than the %v that commands of %s may wait for their answers (answer_timeout_ms) and the flush that follows (settings.kafka.flush_timeout_s) takes; give at least %v" $grace (addf $flush $answer) $topic (addf $flush $answer)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "feedbridge.checks.workers" -}}
{{- $mode := include "feedbridge.mode" . -}}
{{- $kind := .Values.autoscaling.kind -}}
{{- if and (eq $mode "static") (or (gt (int .Values.replicas) 1) (ne $kind "none")) -}}
{{- fail "settings.ownership is static, so each worker would run all subscriptions; set replicas to 1 and autoscaling.kind to none, or ownership to group" -}}
{{- end -}}
{{- if and (ne $kind "none") (gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas)) -}}
{{- fail "autoscaling.minReplicas is more than autoscaling.maxReplicas" -}}
{{- end -}}
{{- if and (eq $kind "keda") (not .Values.settings.commands) -}}
{{- fail "autoscaling.kind is keda, and settings.commands names no command topic whose lag could decide; use cpu" -}}
{{- end -}}
{{- if include "feedbridge.setting" (dict "settings" .Values.settings "path" "worker.name" "default" "") -}}
{{- fail "settings.worker.name would give all workers one name; remove it, each takes its pod's name" -}}
{{- end -}}
{{- if eq (include "feedbridge.setting" (dict "settings" .Values.settings "path" "http.enabled" "default" "true")) "false" -}}
{{- fail "settings.http.enabled is false, and the probes need the http port; remove it" -}}
{{- end -}}
{{- if eq (include "feedbridge.port" .) "0" -}}
{{- fail "settings.http.port is 0, which means any free port, and the probes need a known one; remove it" -}}
{{- end -}}
{{- end -}}

{{/* A ConfigMap may be read by many; what the program takes only from files stays out. */}}
{{- define "feedbridge.checks.secrets" -}}
{{- $settings := .Values.settings -}}
{{- range $venue := list "finery" "cfbenchmarks" -}}
{{- range $name, $account := (default (dict) (index $settings $venue)) -}}
{{- range $field := list "key" "secret" "user" "password" -}}
{{- if and (kindIs "map" $account) (hasKey $account $field) -}}
{{- fail (printf "settings.%s.%s.%s would be readable in a ConfigMap; put it into a secret, list that under secrets, and set %s_file" $venue $name $field $field) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if hasKey (default (dict) $settings.registry) "password" -}}
{{- fail "settings.registry.password would be readable in a ConfigMap; put it into a secret, list that under secrets, and set registry.password_file" -}}
{{- end -}}
{{- range $name, $_ := (default (dict) (default (dict) $settings.kafka).options) -}}
{{- if has $name (list "sasl.password" "sasl.oauthbearer.client.secret" "sasl.oauthbearer.assertion.private.key.passphrase" "sasl.oauthbearer.assertion.private.key.pem" "ssl.key.password" "ssl.key.pem" "ssl.keystore.password") -}}
{{- fail (printf "settings.kafka.options.%s would be readable in a ConfigMap; put it into a secret, list that under secrets, and name its file in kafka.option_files" $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Helm reads numbers as floats of 64 bits: beyond 2^53 they would change in silence. */}}
{{- define "feedbridge.checks.numbers" -}}
{{- $at := .at -}}
{{- if kindIs "map" .value -}}
{{- range $name, $value := .value -}}
{{- include "feedbridge.checks.numbers" (dict "at" (printf "%s.%s" $at $name) "value" $value) -}}
{{- end -}}
{{- else if kindIs "slice" .value -}}
{{- range $number, $value := .value -}}
{{- include "feedbridge.checks.numbers" (dict "at" (printf "%s[%d]" $at $number) "value" $value) -}}
{{- end -}}
{{- else if or (kindIs "float64" .value) (kindIs "int64" .value) (kindIs "int" .value) -}}
{{- if gt (float64 .value) 9007199254740991.0 -}}
{{- fail (printf "%s is more than 2^53, and Helm would round it; put it into quotes" $at) -}}
{{- end -}}
{{- end -}}
{{- end -}}
