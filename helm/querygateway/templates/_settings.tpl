{{/* What services read from their environment: docs/settings.md. */}}

{{/* A value as text. Helm reads whole numbers as floats, and would print large ones as 2.147483648e+09. */}}
{{- define "querygateway.text" -}}
{{- if kindIs "float64" . }}{{ printf "%.0f" . }}{{ else }}{{ toString . }}{{ end }}
{{- end }}

{{/* The port of a component's ops routes. */}}
{{- define "querygateway.opsPort" -}}
{{- get (dict "control-plane" "9000" "data-plane" "9080" "worker" "9090") . }}
{{- end }}

{{/* The port on which a component is called; empty for workers, whom nobody calls. */}}
{{- define "querygateway.port" -}}
{{- get (dict "control-plane" "8000" "data-plane" "8080" "worker" "") . }}
{{- end }}

{{/* Seconds that running work gets after SIGTERM; without a setting what the services take themselves. */}}
{{- define "querygateway.graceSeconds" -}}
{{- $settings := (index .root.Values (include "querygateway.valuesKey" .component)).settings }}
{{- get $settings "SHUTDOWN_GRACE_SECONDS" | default 30 | int }}
{{- end }}

{{/* The mount is everybody's, the directory in it the service's own: it makes it with mode 0700. */}}
{{- define "querygateway.stateMount" -}}/var/lib/querygateway{{- end }}
{{- define "querygateway.stateDir" -}}/var/lib/querygateway/state{{- end }}

{{/* A component's variables that are no secrets, as YAML of texts: what all share, its own on top, then the chart's. */}}
{{- define "querygateway.settings" -}}
{{- $settings := dict }}
{{- range $name, $value := .root.Values.settings }}
{{- $_ := set $settings $name (include "querygateway.text" $value) }}
{{- end }}
{{- range $name, $value := (index .root.Values (include "querygateway.valuesKey" .component)).settings }}
{{- $_ := set $settings $name (include "querygateway.text" $value) }}
{{- end }}
{{- $_ := set $settings "OPS_HOST" .root.Values.listenAddress }}
{{- $_ := set $settings "OPS_PORT" (include "querygateway.opsPort" .component) }}
{{- with include "querygateway.port" .component }}
{{- $_ := set $settings "HOST" $.root.Values.listenAddress }}
{{- $_ := set $settings "PORT" . }}
{{- end }}
{{- if ne .component "control-plane" }}
{{- $_ := set $settings "STATE_DIR" (include "querygateway.stateDir" .) }}
{{- end }}
{{- toYaml $settings }}
{{- end }}

{{- define "querygateway.settingsConfigMap" -}}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ include "querygateway.resource" . }}
  labels: {{- include "querygateway.labels" . | nindent 4 }}
data: {{- include "querygateway.settings" . | nindent 2 }}
{{- end }}
