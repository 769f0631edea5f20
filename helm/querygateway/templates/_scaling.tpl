{{/* How many pods: fixed, or by a HorizontalPodAutoscaler or a ScaledObject; and how many may go at once. */}}

{{/* The kind of a component's workload. Takes root and component. */}}
{{- define "querygateway.workloadKind" -}}
{{- $volume := (index .root.Values (include "querygateway.valuesKey" .component)).stateVolume | default dict }}
{{- if eq (get $volume "kind") "persistent" }}StatefulSet{{ else }}Deployment{{ end }}
{{- end }}

{{/* The field itself: with an autoscaler it is left out, or every upgrade would set it back. */}}
{{- define "querygateway.replicas" -}}
{{- $values := index .root.Values (include "querygateway.valuesKey" .component) }}
{{- $scaling := $values.autoscaling | default (dict "kind" "none") }}
{{- if eq $scaling.kind "none" }}
replicas: {{ $values.replicas | int }}
{{- end }}
{{- end }}

{{- define "querygateway.autoscaler" -}}
{{- $key := include "querygateway.valuesKey" .component }}
{{- $scaling := (index .root.Values $key).autoscaling }}
{{- if and (ne $scaling.kind "none") (gt (int $scaling.replicasMin) (int $scaling.replicasMax)) }}
{{- fail (printf "%s.autoscaling: replicasMin is larger than replicasMax" $key) }}
{{- end }}
{{- if eq $scaling.kind "HorizontalPodAutoscaler" }}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {{ include "querygateway.resource" . }}
  labels: {{- include "querygateway.labels" . | nindent 4 }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: {{ include "querygateway.workloadKind" . }}
    name: {{ include "querygateway.resource" . }}
  minReplicas: {{ $scaling.replicasMin | int }}
  maxReplicas: {{ $scaling.replicasMax | int }}
  metrics:
    - type: Resource
      resource:
        name: cpu
        target:
          type: Utilization
          averageUtilization: {{ $scaling.cpuPercent | int }}
    {{- with $scaling.metrics }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with $scaling.behavior }}
  behavior: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- else if eq $scaling.kind "ScaledObject" }}
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata:
  name: {{ include "querygateway.resource" . }}
  labels: {{- include "querygateway.labels" . | nindent 4 }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: {{ include "querygateway.workloadKind" . }}
    name: {{ include "querygateway.resource" . }}
  pollingInterval: {{ $scaling.pollingSeconds | int }}
  cooldownPeriod: {{ $scaling.cooldownSeconds | int }}
  # Never 0: a data plane that nobody asked yet has no bundle, and without a worker no schedule runs.
  minReplicaCount: {{ $scaling.replicasMin | int }}
  maxReplicaCount: {{ $scaling.replicasMax | int }}
  {{- with $scaling.behavior }}
  advanced:
    horizontalPodAutoscalerConfig:
      behavior: {{- toYaml . | nindent 8 }}
  {{- end }}
  triggers:
    {{- if $scaling.triggers }}
    {{- toYaml $scaling.triggers | nindent 4 }}
    {{- else }}
    - type: cpu
      metricType: Utilization
      metadata:
        value: {{ $scaling.cpuPercent | int | quote }}
    {{- end }}
{{- end }}
{{- end }}

{{- define "querygateway.disruptionBudget" -}}
{{- $budget := (index .root.Values (include "querygateway.valuesKey" .component)).podDisruptionBudget }}
{{- if $budget.enabled }}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "querygateway.resource" . }}
  labels: {{- include "querygateway.labels" . | nindent 4 }}
spec:
  maxUnavailable: {{ $budget.maxUnavailable | int }}
  # A pod that isn't ready serves nobody: it must not keep a node from being emptied.
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels: {{- include "querygateway.selector" . | nindent 6 }}
{{- end }}
{{- end }}
