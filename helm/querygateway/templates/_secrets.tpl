{{/* Where a component's secrets come from. They are mounted as files; no secret is in an environment. */}}

{{- define "querygateway.secretsMount" -}}/etc/querygateway/secrets{{- end }}

{{/* Every variable of a component that is a secret. Takes the component. */}}
{{- define "querygateway.secretVariables" -}}
{{- if eq . "control-plane" -}}
DATABASE_URL REDIS_URL ENCRYPTION_KEY BUNDLE_SEAL_KEY BUNDLE_SIGNING_KEY JWT_SECRET_KEY ADMIN_PASSWORD_HASH
{{- else if eq . "data-plane" -}}
REDIS_URL BUNDLE_SEAL_KEY
{{- else if eq . "worker" -}}
DATABASE_URL REDIS_URL BUNDLE_SEAL_KEY
{{- else if eq . "migration" -}}
MIGRATION_DATABASE_URL
{{- end }}
{{- end }}

{{/* YAML list of {variable, name, key}: each secret's Secret and key. Refuses a secret with no source, or with two. */}}
{{- define "querygateway.secretSources" -}}
{{- $where := printf "%s.secrets" (include "querygateway.valuesKey" .component) }}
{{- $secrets := (index .root.Values (include "querygateway.valuesKey" .component)).secrets }}
{{- $made := include "querygateway.resource" . }}
{{- $fetched := printf "%s-external" $made }}
{{- $sources := list }}
{{- range $variable := splitList " " (include "querygateway.secretVariables" .component) }}
{{- $found := list }}
{{- if hasKey $secrets.values $variable }}
{{- $found = append $found (dict "variable" $variable "name" $made "key" $variable) }}
{{- end }}
{{- with get $secrets.from $variable }}
{{- $found = append $found (dict "variable" $variable "name" .name "key" .key) }}
{{- end }}
{{- if hasKey $secrets.externalSecret.remote $variable }}
{{- $found = append $found (dict "variable" $variable "name" $fetched "key" $variable) }}
{{- end }}
{{- if gt (len $found) 1 }}
{{- fail (printf "%s: %s has more than one source; keep one of values, from and externalSecret.remote" $where $variable) }}
{{- end }}
{{- if not $found }}
{{- if not $secrets.existingSecret }}
{{- fail (printf "%s: %s has no source. Name a Secret that holds it under the key %s (%s.existingSecret), one that has it under another key (%s.from.%s with name and key), or let External Secrets fetch it (%s.externalSecret.remote.%s). `querygateway keys new` and `querygateway hash-password` make keys and hash." $where $variable $variable $where $where $variable $where $variable) }}
{{- end }}
{{- $found = append $found (dict "variable" $variable "name" $secrets.existingSecret "key" $variable) }}
{{- end }}
{{- $sources = append $sources (first $found) }}
{{- end }}
{{- toYaml $sources }}
{{- end }}

{{/* X_FILE for each secret X. */}}
{{- define "querygateway.secretEnvironment" -}}
{{- range include "querygateway.secretSources" . | fromYamlArray }}
- name: {{ .variable }}_FILE
  value: {{ include "querygateway.secretsMount" $ }}/{{ .variable }}
{{- end }}
{{- end }}

{{/* One volume with a file per secret, whichever Secrets they are in; a missing one keeps the pod from starting. */}}
{{- define "querygateway.secretVolume" -}}
- name: secrets
  projected:
    # Read by the service's group (fsGroup), by nobody else.
    defaultMode: 0440
    sources:
      {{- range include "querygateway.secretSources" . | fromYamlArray }}
      - secret:
          name: {{ .name | quote }}
          items:
            - key: {{ .key | quote }}
              path: {{ .variable }}
      {{- end }}
{{- end }}

{{/* The Secret of what was given as values. Takes also "annotations", a text. */}}
{{- define "querygateway.madeSecret" -}}
{{- $key := include "querygateway.valuesKey" .component }}
{{- $values := (index .root.Values $key).secrets.values }}
{{- if $values }}
apiVersion: v1
kind: Secret
metadata:
  name: {{ include "querygateway.resource" . }}
  labels: {{- include "querygateway.labels" . | nindent 4 }}
  {{- with .annotations }}
  annotations: {{- . | nindent 4 }}
  {{- end }}
type: Opaque
data:
  {{- range $variable, $value := $values }}
  {{- include "querygateway.refuseWeakSecret" (dict "where" (printf "%s.secrets.values.%s" $key $variable) "variable" $variable "value" $value) }}
  {{ $variable }}: {{ $value | b64enc }}
  {{- end }}
{{- end }}
{{- end }}

{{/* What External Secrets is to fetch. Takes also "annotations", a text. */}}
{{- define "querygateway.externalSecret" -}}
{{- $key := include "querygateway.valuesKey" .component }}
{{- $external := (index .root.Values $key).secrets.externalSecret }}
{{- if $external.remote }}
{{- if not $external.storeName }}
{{- fail (printf "%s.secrets.externalSecret.storeName: name the SecretStore to fetch from" $key) }}
{{- end }}
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata:
  name: {{ include "querygateway.resource" . }}-external
  labels: {{- include "querygateway.labels" . | nindent 4 }}
  {{- with .annotations }}
  annotations: {{- . | nindent 4 }}
  {{- end }}
spec:
  refreshInterval: {{ $external.refreshInterval }}
  secretStoreRef:
    kind: {{ $external.storeKind }}
    name: {{ $external.storeName | quote }}
  target:
    name: {{ include "querygateway.resource" . }}-external
    creationPolicy: Owner
    deletionPolicy: Retain
  data:
    {{- range $variable, $remote := $external.remote }}
    - secretKey: {{ $variable }}
      remoteRef:
        key: {{ $remote.key | quote }}
        {{- with $remote.property }}
        property: {{ . | quote }}
        {{- end }}
    {{- end }}
{{- end }}
{{- end }}
