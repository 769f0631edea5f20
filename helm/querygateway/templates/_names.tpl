{{/* Names and labels. Everything is named <fullname>-<component>, with at most 63 characters. */}}

{{- define "querygateway.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{/* 40 characters leave room for the longest ending, -control-plane-external. */}}
{{- define "querygateway.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains (include "querygateway.name" .) .Release.Name }}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "querygateway.name" .) | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* The name of a component's resources. Takes (dict "root" $ "component" "data-plane"). */}}
{{- define "querygateway.resource" -}}
{{- printf "%s-%s" (include "querygateway.fullname" .root) .component }}
{{- end }}

{{/* Under which key of the values a component is described. Takes the component. */}}
{{- define "querygateway.valuesKey" -}}
{{- get (dict "control-plane" "controlPlane" "data-plane" "dataPlane" "worker" "worker" "migration" "migration") . }}
{{- end }}

{{- define "querygateway.selector" -}}
app.kubernetes.io/name: {{ include "querygateway.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "querygateway.labels" -}}
{{ include "querygateway.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: querygateway
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The digest says exactly what runs; a tag is what somebody pointed at last. */}}
{{- define "querygateway.image" -}}
{{- $image := .Values.image }}
{{- if not $image.repository }}
{{- fail "image.repository: say where the image of QueryGateway lies, such as images.example.com/querygateway" }}
{{- end }}
{{- if $image.digest }}
{{- printf "%s@%s" $image.repository $image.digest }}
{{- else }}
{{- printf "%s:%s" $image.repository (default .Chart.AppVersion $image.tag) }}
{{- end }}
{{- end }}
