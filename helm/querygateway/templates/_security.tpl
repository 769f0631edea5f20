{{/* What makes every pod of the chart pass the Pod Security Standard "restricted", and more; no value loosens it. */}}

{{/* The user is set by number: an image's USER may be a name, of which the kubelet can't tell that it is not root. */}}
{{- define "querygateway.podSecurity" -}}
runAsNonRoot: true
{{- with .Values.podSecurity.user }}
runAsUser: {{ . }}
runAsGroup: {{ . }}
fsGroup: {{ . }}
fsGroupChangePolicy: OnRootMismatch
{{- end }}
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "querygateway.containerSecurity" -}}
allowPrivilegeEscalation: false
capabilities:
  drop: [ALL]
privileged: false
readOnlyRootFilesystem: true
runAsNonRoot: true
{{- end }}

{{/* What is the same in the pods of services, migration and test. */}}
{{- define "querygateway.podCommon" -}}
serviceAccountName: {{ include "querygateway.resource" . }}
automountServiceAccountToken: false
# Addresses of other Services don't belong into the environment.
enableServiceLinks: false
securityContext: {{- include "querygateway.podSecurity" .root | nindent 2 }}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "querygateway.serviceAccount" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ include "querygateway.resource" . }}
  labels: {{- include "querygateway.labels" . | nindent 4 }}
  {{- with .annotations }}
  annotations: {{- . | nindent 4 }}
  {{- end }}
# Nobody here talks to the Kubernetes API.
automountServiceAccountToken: false
{{- end }}

{{/* Certificates of authorities that the image does not know: those of Postgres, Redis, or an outgoing TLS proxy. */}}
{{- define "querygateway.certificatesMount" -}}/etc/querygateway/certificates{{- end }}

{{- define "querygateway.certificatesEnvironment" -}}
{{- with .Values.certificates.postgresFile }}
- name: PGSSLROOTCERT
  value: {{ printf "%s/%s" (include "querygateway.certificatesMount" $) . }}
{{- end }}
{{- end }}

{{- define "querygateway.certificatesVolume" -}}
{{- with .Values.certificates }}
{{- if and .configMap .secret }}
{{- fail "certificates: name a ConfigMap or a Secret, not both" }}
{{- end }}
{{- if and .postgresFile (not (or .configMap .secret)) }}
{{- fail "certificates.postgresFile: name also the ConfigMap or the Secret that has this key" }}
{{- end }}
{{- if .configMap }}
- name: certificates
  configMap:
    name: {{ .configMap | quote }}
{{- else if .secret }}
- name: certificates
  secret:
    secretName: {{ .secret | quote }}
    defaultMode: 0440
{{- end }}
{{- end }}
{{- end }}

{{- define "querygateway.certificatesVolumeMount" -}}
{{- if or .Values.certificates.configMap .Values.certificates.secret }}
- name: certificates
  mountPath: {{ include "querygateway.certificatesMount" . }}
  readOnly: true
{{- end }}
{{- end }}
