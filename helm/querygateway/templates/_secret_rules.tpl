{{/*
What a secret that was given as a value must look like. These rules are here and not in values.schema.json because Helm
repeats a value that the schema refuses, and a secret must not end up in a terminal or in a log.
*/}}

{{/* Takes where, variable, value. */}}
{{- define "querygateway.refuseWeakSecret" -}}
{{- $where := .where }}
{{- $value := .value }}
{{- if not (trim $value) }}
{{- fail (printf "%s: is empty. Leave it out and name an existing Secret, or give a value" $where) }}
{{- end }}
{{- if has .variable (list "ENCRYPTION_KEY" "BUNDLE_SEAL_KEY") }}
{{- include "querygateway.refuseUnlike" (dict "where" $where "value" $value "pattern" "^[A-Za-z0-9_-]{43}=$" "expected" "Fernet keys, comma separated, as `querygateway keys new` makes them") }}
{{- else if eq .variable "BUNDLE_SIGNING_KEY" }}
{{- include "querygateway.refuseUnlike" (dict "where" $where "value" $value "pattern" "^[A-Za-z0-9+/]{43}=$" "expected" "one Ed25519 private key, as `querygateway keys new` makes it") }}
{{- else if eq .variable "JWT_SECRET_KEY" }}
{{- include "querygateway.refuseUnlike" (dict "where" $where "value" $value "pattern" "^[^\\s]{32,}$" "expected" "secrets of at least 32 characters, comma separated, as `querygateway keys new` makes them") }}
{{- else if eq .variable "ADMIN_PASSWORD_HASH" }}
{{- if not (regexMatch "^\\$2[aby]\\$[0-9]{2}\\$[./A-Za-z0-9]{53}$" $value) }}
{{- fail (printf "%s: must be a bcrypt hash, as `querygateway hash-password` makes it" $where) }}
{{- end }}
{{- else if eq .variable "REDIS_URL" }}
{{- include "querygateway.refuseWeakUrl" (dict "where" $where "value" $value "schemes" "rediss?" "expected" "redis://user:password@host:6379/0, or rediss:// for TLS") }}
{{- else }}
{{- include "querygateway.refuseWeakUrl" (dict "where" $where "value" $value "schemes" "postgres(?:ql)?" "expected" "postgresql://user:password@host:5432/database?sslmode=verify-full") }}
{{- end }}
{{- end }}

{{/* Every comma separated part must match, and must look random: a key of few different characters was typed by somebody. */}}
{{- define "querygateway.refuseUnlike" -}}
{{- $rule := . }}
{{- range splitList "," .value }}
{{- $part := trim . }}
{{- if not (regexMatch $rule.pattern $part) }}
{{- fail (printf "%s: must be %s" $rule.where $rule.expected) }}
{{- end }}
{{- if lt (len (uniq (splitList "" $part))) 12 }}
{{- fail (printf "%s: is not random; `querygateway keys new` makes a new one" $rule.where) }}
{{- end }}
{{- end }}
{{- end }}

{{- define "querygateway.refuseWeakUrl" -}}
{{- if not (regexMatch (printf "^%s://[^:@/]*:[^@/]+@[^@/]+" .schemes) .value) }}
{{- fail (printf "%s: must look like %s" .where .expected) }}
{{- end }}
{{- $password := regexReplaceAll "^[a-z]+://[^:@/]*:([^@/]+)@.*$" .value "${1}" }}
{{- if or (lt (len $password) 12) (regexMatch "(?i)change.?me|passw(or|0r)d|secret|example|default|postgres|redis|querygateway|^(.{0,3}|[0-9]+)$" $password) }}
{{- fail (printf "%s: its password is a known one or too short; give this user a random one of at least 12 characters" .where) }}
{{- end }}
{{- end }}

{{/* Different services' secrets that must not be the same. Run once, from the settings of the control plane. */}}
{{- define "querygateway.refuseSharedSecrets" -}}
{{- $control := .Values.controlPlane.secrets.values }}
{{- if and (hasKey $control "ENCRYPTION_KEY") (hasKey $control "BUNDLE_SEAL_KEY") }}
{{- range splitList "," $control.ENCRYPTION_KEY }}
{{- if has (trim .) (splitList "," $control.BUNDLE_SEAL_KEY) }}
{{- fail "controlPlane.secrets.values.BUNDLE_SEAL_KEY: must differ from ENCRYPTION_KEY, which no other service may hold" }}
{{- end }}
{{- end }}
{{- end }}
{{- $users := list }}
{{- range $url := list (get $control "DATABASE_URL") (get .Values.worker.secrets.values "DATABASE_URL") (get .Values.migration.secrets.values "MIGRATION_DATABASE_URL") }}
{{- with $url }}
{{- $user := regexReplaceAll "^[a-z]+://([^:@/]*):.*$" . "${1}" }}
{{- if has $user $users }}
{{- fail "secrets: control plane, workers and migrations each need a database user of their own; two of the URLs name the same one" }}
{{- end }}
{{- $users = append $users $user }}
{{- end }}
{{- end }}
{{- end }}
