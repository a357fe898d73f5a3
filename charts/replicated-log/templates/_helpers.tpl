{{- define "log.name" -}}
{{ .Values.name | default .Release.Name }}
{{- end }}

{{- define "log.labels" -}}
app.kubernetes.io/name: replicated-log
app.kubernetes.io/instance: {{ include "log.name" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: replicated-log
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}
