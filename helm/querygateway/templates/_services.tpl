{{/* Services, scrapes, and ways in from outside. */}}

{{- define "querygateway.service" -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ include "querygateway.resource" . }}
  labels: {{- include "querygateway.labels" . | nindent 4 }}
  {{- with (index .root.Values (include "querygateway.valuesKey" .component)).service.annotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  type: ClusterIP
  selector: {{- include "querygateway.selector" . | nindent 4 }}
  ports:
    - name: http
      port: {{ (index .root.Values (include "querygateway.valuesKey" .component)).service.port | int }}
      targetPort: http
      appProtocol: http
{{- end }}

{{/* Apart from the other one, so that no route to a service leads to its ops port by accident. */}}
{{- define "querygateway.opsService" -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ include "querygateway.resource" . }}-ops
  labels:
    {{- include "querygateway.labels" . | nindent 4 }}
    querygateway/port: ops
spec:
  clusterIP: None
  # A pod that isn't ready is the one whose metrics are wanted.
  publishNotReadyAddresses: true
  selector: {{- include "querygateway.selector" . | nindent 4 }}
  ports:
    - name: ops
      port: {{ include "querygateway.opsPort" .component }}
      targetPort: ops
      appProtocol: http
{{- end }}

{{- define "querygateway.serviceMonitor" -}}
{{- $monitor := .root.Values.monitoring.serviceMonitor }}
{{- if $monitor.enabled }}
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata:
  name: {{ include "querygateway.resource" . }}
  labels:
    {{- include "querygateway.labels" . | nindent 4 }}
    {{- with $monitor.labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  selector:
    matchLabels:
      {{- include "querygateway.selector" . | nindent 6 }}
      querygateway/port: ops
  namespaceSelector:
    matchNames: [{{ .root.Release.Namespace }}]
  endpoints:
    - port: ops
      path: /-/metrics
      interval: {{ $monitor.intervalSeconds | int }}s
      scrapeTimeout: {{ $monitor.timeoutSeconds | int }}s
      relabelings:
        # Rules and dashboard ask for this name.
        - targetLabel: job
          replacement: {{ include "querygateway.resource" . }}
{{- end }}
{{- end }}

{{/* What of a component is reachable through a route. Takes the component. */}}
{{- define "querygateway.paths" -}}
{{- if eq . "data-plane" }}/api/v1/data{{ else }}/api/v1/auth /api/v1/admin /api/v1/openapi.json{{ end }}
{{- end }}

{{- define "querygateway.httpRoute" -}}
{{- $values := index .root.Values (include "querygateway.valuesKey" .component) }}
{{- $route := $values.httpRoute }}
{{- if $route.enabled }}
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: {{ include "querygateway.resource" . }}
  labels: {{- include "querygateway.labels" . | nindent 4 }}
  {{- with $route.annotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  parentRefs: {{- toYaml $route.parentRefs | nindent 4 }}
  hostnames: {{- toYaml $route.hostnames | nindent 4 }}
  rules:
    - matches:
        {{- range splitList " " (include "querygateway.paths" .component) }}
        - path:
            type: PathPrefix
            value: {{ . }}
        {{- end }}
      {{- if gt (int $route.timeoutSeconds) 0 }}
      timeouts:
        request: {{ $route.timeoutSeconds | int }}s
      {{- end }}
      backendRefs:
        - name: {{ include "querygateway.resource" . }}
          port: {{ $values.service.port | int }}
{{- end }}
{{- end }}

{{- define "querygateway.ingress" -}}
{{- $values := index .root.Values (include "querygateway.valuesKey" .component) }}
{{- $ingress := $values.ingress }}
{{- if $ingress.enabled }}
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: {{ include "querygateway.resource" . }}
  labels: {{- include "querygateway.labels" . | nindent 4 }}
  {{- with $ingress.annotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  {{- with $ingress.className }}
  ingressClassName: {{ . | quote }}
  {{- end }}
  tls:
    - hosts: {{- toYaml $ingress.hosts | nindent 8 }}
      secretName: {{ $ingress.tlsSecretName | quote }}
  rules:
    {{- range $host := $ingress.hosts }}
    - host: {{ $host | quote }}
      http:
        paths:
          {{- range splitList " " (include "querygateway.paths" $.component) }}
          - path: {{ . }}
            pathType: Prefix
            backend:
              service:
                name: {{ include "querygateway.resource" $ }}
                port:
                  name: http
          {{- end }}
    {{- end }}
{{- end }}
{{- end }}

{{/* Run for components with a route: one that leads nowhere is refused here, in words that say what to do. */}}
{{- define "querygateway.refuseBrokenRoutes" -}}
{{- range $key := list "controlPlane" "dataPlane" }}
{{- $values := index $.Values $key }}
{{- if and $values.ingress.enabled $values.httpRoute.enabled }}
{{- fail (printf "%s: enable ingress or httpRoute, not both" $key) }}
{{- end }}
{{- if $values.ingress.enabled }}
{{- if not $values.ingress.hosts }}
{{- fail (printf "%s.ingress.hosts: name at least one host" $key) }}
{{- end }}
{{- if not $values.ingress.tlsSecretName }}
{{- fail (printf "%s.ingress.tlsSecretName: name the Secret with the certificate; credentials never travel without TLS" $key) }}
{{- end }}
{{- end }}
{{- if and $values.httpRoute.enabled (not (and $values.httpRoute.parentRefs $values.httpRoute.hostnames)) }}
{{- fail (printf "%s.httpRoute: name the Gateway (parentRefs, one of its TLS listeners as sectionName) and hostnames" $key) }}
{{- end }}
{{- if and $.Values.networkPolicy.enabled (or $values.ingress.enabled $values.httpRoute.enabled) (not (index $.Values.networkPolicy $key).from) }}
{{- fail (printf "networkPolicy.%s.from: has a route, but nobody may reach it; name the pods of the proxy" $key) }}
{{- end }}
{{- end }}
{{- end }}
