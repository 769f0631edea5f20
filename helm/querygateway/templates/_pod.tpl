{{/* The pod of a service. Everything here takes (dict "root" $ "component" "data-plane"). */}}

{{- define "querygateway.podTemplate" -}}
{{- $values := index .root.Values (include "querygateway.valuesKey" .component) }}
metadata:
  labels:
    {{- include "querygateway.labels" . | nindent 4 }}
    {{- with $values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    # Services read everything once, at start: other settings or secrets need other pods.
    checksum/settings: {{ include "querygateway.settings" . | sha256sum }}
    checksum/secrets: {{ toYaml $values.secrets | sha256sum }}
    {{- with $values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  {{- include "querygateway.podCommon" . | nindent 2 }}
  terminationGracePeriodSeconds: {{ include "querygateway.terminationSeconds" . }}
  {{- include "querygateway.placement" . | nindent 2 }}
  containers:
    - name: {{ .component }}
      {{- include "querygateway.container" . | nindent 6 }}
  volumes:
    {{- include "querygateway.secretVolume" . | nindent 4 }}
    {{- include "querygateway.stateVolume" . | nindent 4 }}
    {{- include "querygateway.certificatesVolume" .root | nindent 4 }}
    {{- with $values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}

{{- define "querygateway.container" -}}
{{- $values := index .root.Values (include "querygateway.valuesKey" .component) }}
image: {{ include "querygateway.image" .root | quote }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
command: [querygateway]
args: [{{ .component }}]
securityContext: {{- include "querygateway.containerSecurity" . | nindent 2 }}
envFrom:
  - configMapRef:
      name: {{ include "querygateway.resource" . }}
env:
  {{- include "querygateway.secretEnvironment" . | nindent 2 }}
  {{- if ne .component "data-plane" }}
  {{- include "querygateway.certificatesEnvironment" .root | nindent 2 }}
  {{- end }}
  {{- include "querygateway.extraEnvironment" . | nindent 2 }}
ports:
  {{- with include "querygateway.port" .component }}
  - name: http
    containerPort: {{ . }}
  {{- end }}
  - name: ops
    containerPort: {{ include "querygateway.opsPort" .component }}
{{- include "querygateway.probes" $values }}
{{- if ne .component "worker" }}
lifecycle:
  preStop:
    # Not ready and `Connection: close`, while what still arrives is served; the kubelet's SIGTERM comes after it.
    exec:
      command: [querygateway, drain, --seconds, {{ $values.drainSeconds | include "querygateway.text" | quote }}]
{{- end }}
resources: {{- toYaml $values.resources | nindent 2 }}
volumeMounts:
  - name: secrets
    mountPath: {{ include "querygateway.secretsMount" . }}
    readOnly: true
  {{- if ne .component "control-plane" }}
  - name: state
    mountPath: {{ include "querygateway.stateMount" . }}
  {{- end }}
  {{- include "querygateway.certificatesVolumeMount" .root | nindent 2 }}
  {{- with $values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{/* Takes the component's values. Live says that the process answers; ready, that it is of use. */}}
{{- define "querygateway.probes" }}
startupProbe:
  httpGet: {path: /-/live, port: ops}
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: {{ div (int .probes.startupSeconds) 2 }}
readinessProbe:
  httpGet: {path: /-/ready, port: ops}
  periodSeconds: {{ .probes.readinessPeriodSeconds | int }}
  timeoutSeconds: 2
  failureThreshold: 3
livenessProbe:
  httpGet: {path: /-/live, port: ops}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: {{ div (int .probes.livenessSeconds) 10 }}
{{- end }}

{{/* What is set beside the settings. A name that the chart sets itself would quietly win or lose: refused. */}}
{{- define "querygateway.extraEnvironment" -}}
{{- $key := include "querygateway.valuesKey" .component }}
{{- $settings := dict }}
{{- if ne .component "migration" }}
{{- $settings = include "querygateway.settings" . | fromYaml }}
{{- end }}
{{- $secrets := splitList " " (include "querygateway.secretVariables" .component) }}
{{- range (index .root.Values $key).extraEnv }}
{{- if or (hasKey $settings .name) (has (trimSuffix "_FILE" .name) $secrets) (eq .name "PGSSLROOTCERT") }}
{{- fail (printf "%s.extraEnv: %s is set by the chart; use settings, secrets or certificates" $key .name) }}
{{- end }}
{{- end }}
{{- with (index .root.Values $key).extraEnv }}
{{- toYaml . }}
{{- end }}
{{- end }}

{{/* How long the kubelet waits before SIGKILL: the drain, the grace after SIGTERM, and ten seconds to close what is open. */}}
{{- define "querygateway.terminationSeconds" -}}
{{- $values := index .root.Values (include "querygateway.valuesKey" .component) }}
{{- add (int ($values.drainSeconds | default 0)) (int (include "querygateway.graceSeconds" .)) 10 }}
{{- end }}

{{- define "querygateway.placement" -}}
{{- $values := index .root.Values (include "querygateway.valuesKey" .component) }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
topologySpreadConstraints:
  {{- range $values.topologySpread }}
  - topologyKey: {{ .topologyKey | quote }}
    maxSkew: {{ .maxSkew | int }}
    whenUnsatisfiable: {{ .whenUnsatisfiable }}
    labelSelector:
      matchLabels: {{- include "querygateway.selector" $ | nindent 8 }}
  {{- end }}
{{- end }}
