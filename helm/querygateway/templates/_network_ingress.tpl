{{/*
Who may come in. Takes root and component; empty text when nobody may. The pod of `helm test` reaches what consumers and
scrapes reach, never the admin API.
*/}}
{{- define "querygateway.ingressRules" -}}
{{- $policy := .root.Values.networkPolicy }}
{{- $from := (index $policy (include "querygateway.valuesKey" .component)).from }}
{{- $tests := .root.Values.tests.enabled }}
{{- $port := include "querygateway.port" .component }}
{{- $testsHere := and $tests (eq .component "data-plane") }}
{{- if and $port (or $from $testsHere) }}
- from:
    {{- with $from }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    {{- if $testsHere }}
    {{- include "querygateway.testPeer" .root | nindent 4 }}
    {{- end }}
  ports: {{- include "querygateway.tcpPorts" (list $port) | nindent 4 }}
{{- end }}
{{- if or $policy.metrics.from $tests }}
- from:
    {{- with $policy.metrics.from }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    {{- if $tests }}
    {{- include "querygateway.testPeer" .root | nindent 4 }}
    {{- end }}
  ports: {{- include "querygateway.tcpPorts" (list (include "querygateway.opsPort" .component)) | nindent 4 }}
{{- end }}
{{- end }}

{{- define "querygateway.testPeer" -}}
- podSelector:
    matchLabels: {{- include "querygateway.selector" (dict "root" . "component" "test") | nindent 6 }}
{{- end }}
