{{/* Who may talk to whom. Everything is denied first; each rule here opens one thing. */}}

{{/* Ports of one protocol, as YAML. Takes a list. */}}
{{- define "querygateway.tcpPorts" -}}
{{- range . }}
- protocol: TCP
  port: {{ . | int }}
{{- end }}
{{- end }}

{{/* One egress rule to a server. Takes root, name (postgres, redis, oracle, issuers). Says so when nobody said where it is. */}}
{{- define "querygateway.egressTo" -}}
{{- $place := index .root.Values.networkPolicy .name }}
{{- if $place.to }}
- to: {{- toYaml $place.to | nindent 4 }}
  ports: {{- include "querygateway.tcpPorts" $place.ports | nindent 4 }}
{{- else if ne .name "issuers" }}
{{- fail (printf "networkPolicy.%s.to: say where it is, such as [{ipBlock: {cidr: 10.0.0.5/32}}]; pods reach nothing that is not named" .name) }}
{{- end }}
{{- end }}

{{- define "querygateway.egressToDns" -}}
{{- $dns := .Values.networkPolicy.dns }}
- to: {{- toYaml $dns.to | nindent 4 }}
  ports:
    {{- range $dns.ports }}
    - protocol: UDP
      port: {{ . | int }}
    - protocol: TCP
      port: {{ . | int }}
    {{- end }}
{{- end }}

{{/* Takes root, component, and "servers": what it may reach. */}}
{{- define "querygateway.networkPolicy" -}}
{{- if .root.Values.networkPolicy.enabled }}
{{- $key := include "querygateway.valuesKey" .component }}
{{- $own := index .root.Values.networkPolicy $key }}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "querygateway.resource" . }}
  labels: {{- include "querygateway.labels" . | nindent 4 }}
spec:
  podSelector:
    matchLabels: {{- include "querygateway.selector" . | nindent 6 }}
  policyTypes: [Ingress, Egress]
  # Probes come from the node itself, which no policy shuts out.
  {{- with include "querygateway.ingressRules" . }}
  ingress: {{- . | nindent 4 }}
  {{- else }}
  ingress: []
  {{- end }}
  egress:
    {{- include "querygateway.egressToDns" .root | nindent 4 }}
    {{- range .servers }}
    {{- include "querygateway.egressTo" (dict "root" $.root "name" .) | nindent 4 }}
    {{- end }}
    {{- with $own.extraEgress }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}
{{- end }}
