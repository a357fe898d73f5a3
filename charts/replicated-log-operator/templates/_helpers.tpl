{{/* The name of everything: the release's, which is unique in its namespace. */}}
{{- define "operator.name" -}}
{{ .Release.Name | trunc 53 | trimSuffix "-" }}
{{- end }}

{{/* Of what is not in a namespace: two releases of one name may be in two namespaces. */}}
{{- define "operator.clusterName" -}}
{{ printf "%s-%s" .Release.Namespace (include "operator.name" .) | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* What tells these pods from all others; network policies of logs let them reach members. */}}
{{- define "operator.selector" -}}
app.kubernetes.io/name: replog-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "operator.labels" -}}
{{ include "operator.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: replicated-log
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "operator.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{/* The namespaces that are served, as a list; empty: all. */}}
{{- define "operator.namespaces" -}}
{{- if eq .Values.mode "namespaced" -}}
{{- .Values.namespaces | default (list .Release.Namespace) | toJson -}}
{{- else -}}
[]
{{- end -}}
{{- end }}

{{- define "operator.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "operator.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}
