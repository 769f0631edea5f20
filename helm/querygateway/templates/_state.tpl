{{/* The volume of STATE_DIR, the only place where a service writes. */}}

{{/*
emptyDir lasts as long as the pod, also across restarts of the container; an ephemeral claim too, on a disk of its own;
a persistent one comes back with the pod's name, which takes a StatefulSet.
*/}}
{{- define "querygateway.stateVolume" -}}
{{- if ne .component "control-plane" }}
{{- include "querygateway.refuseSmallState" . }}
{{- $volume := (index .root.Values (include "querygateway.valuesKey" .component)).stateVolume }}
{{- if eq $volume.kind "emptyDir" }}
- name: state
  emptyDir:
    sizeLimit: {{ $volume.sizeMiB | int }}Mi
{{- else if eq $volume.kind "ephemeral" }}
- name: state
  ephemeral:
    volumeClaimTemplate:
      metadata:
        labels: {{- include "querygateway.selector" . | nindent 10 }}
      spec: {{- include "querygateway.stateClaim" $volume | nindent 8 }}
{{- end }}
{{- end }}
{{- end }}

{{/* Takes the stateVolume. */}}
{{- define "querygateway.stateClaim" -}}
accessModes: [ReadWriteOnce]
{{- with .storageClassName }}
storageClassName: {{ . | quote }}
{{- end }}
resources:
  requests:
    storage: {{ .sizeMiB | int }}Mi
{{- end }}

{{/* A full emptyDir evicts the pod, so it must be larger than everything that the settings let a service keep there. */}}
{{- define "querygateway.refuseSmallState" -}}
{{- $key := include "querygateway.valuesKey" .component }}
{{- $values := index .root.Values $key }}
{{- $settings := $values.settings }}
{{- $needed := 268435456 }}
{{- if eq .component "data-plane" }}
{{- $needed = add $needed (get $settings "SNAPSHOTS_DISK_BYTES_MAX" | default 2147483648 | int64) (get $settings "ACCESS_LOG_BYTES_MAX" | default 268435456 | int64) }}
{{- else }}
{{- $needed = add $needed (mul (get $settings "SNAPSHOT_BYTES_MAX" | default 268435456 | int64) (get $settings "MAX_JOB_CONCURRENCY" | default 4 | int64)) }}
{{- end }}
{{- $size := mul (int64 $values.stateVolume.sizeMiB) 1048576 }}
{{- if lt $size $needed }}
{{- fail (printf "%s.stateVolume.sizeMiB: must be at least %d for what %s.settings let the service keep there (%s, and 256 MiB to spare)" $key (div (add $needed 1048575) 1048576) $key (ternary "SNAPSHOTS_DISK_BYTES_MAX + ACCESS_LOG_BYTES_MAX" "SNAPSHOT_BYTES_MAX * MAX_JOB_CONCURRENCY" (eq .component "data-plane"))) }}
{{- end }}
{{- end }}
