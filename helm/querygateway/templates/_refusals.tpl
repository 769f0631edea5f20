{{/* What values.schema.json can't say: values that must be there, and values that don't fit each other. */}}

{{- define "querygateway.refuse" -}}
{{- if not (get .Values.settings "GATEWAY_ID") }}
{{- fail "settings.GATEWAY_ID: is required; it names this gateway for ever (`querygateway keys new` makes one)" }}
{{- end }}
{{- if not (get .Values.settings "BUNDLE_VERIFY_KEYS") }}
{{- fail "settings.BUNDLE_VERIFY_KEYS: is required; the public key that belongs to BUNDLE_SIGNING_KEY (`querygateway keys new` prints both)" }}
{{- end }}
{{- if not (get .Values.controlPlane.settings "ADMIN_USERNAME") }}
{{- fail "controlPlane.settings.ADMIN_USERNAME: is required; the first admin" }}
{{- end }}
{{- include "querygateway.refuseSharedSecrets" . }}
{{- include "querygateway.refuseOwnLabels" (dict "where" "commonLabels" "labels" .Values.commonLabels) }}
{{- range $key := list "controlPlane" "dataPlane" "worker" "migration" }}
{{- include "querygateway.refuseOwnLabels" (dict "where" (printf "%s.podLabels" $key) "labels" (index $.Values $key).podLabels) }}
{{- end }}
{{- include "querygateway.refuseBrokenRoutes" . }}
{{- if and .Values.monitoring.serviceMonitor.enabled .Values.networkPolicy.enabled (not .Values.networkPolicy.metrics.from) }}
{{- fail "networkPolicy.metrics.from: name the pods of Prometheus, which monitoring.serviceMonitor asks to scrape" }}
{{- end }}
{{- if and .Values.networkPolicy.enabled (not .Values.networkPolicy.dns.to) }}
{{- fail "networkPolicy.dns.to: name the pods (or addresses) of the DNS server; without it no host name resolves" }}
{{- end }}
{{- end }}

{{/* Selectors and policies find pods by these: one that says something else would be out of their reach. */}}
{{- define "querygateway.refuseOwnLabels" -}}
{{- range $label, $_ := .labels }}
{{- if or (hasPrefix "app.kubernetes.io/" $label) (hasPrefix "helm.sh/" $label) }}
{{- fail (printf "%s: %s is a label that the chart sets" $.where $label) }}
{{- end }}
{{- end }}
{{- end }}
