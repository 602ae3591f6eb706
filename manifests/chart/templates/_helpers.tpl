{{/*
The text of a file of the manifests, in the namespace of the release. The context is the root and
the path.
*/}}
{{- define "berth.file" -}}
{{- $text := .root.Files.Get (printf "files/%s" .path) -}}
{{- if not $text }}{{ fail (printf "files/%s is not in the chart: package it with `make chart`" .path) }}{{ end -}}
{{- $text | replace "berth-system" .root.Release.Namespace -}}
{{- end }}

{{/* The scheduler's configuration. */}}
{{- define "berth.config" -}}
{{- if .Values.config -}}
{{ .Values.config }}
{{- else if .Values.schedulerNames -}}
{{- $config := include "berth.file" (dict "root" . "path" "base/config.yaml") | fromYaml -}}
{{- $profile := first $config.profiles -}}
{{- range .Values.schedulerNames -}}
{{- $another := deepCopy $profile | merge (dict "schedulerName" .) -}}
{{- $_ := set $config "profiles" (append $config.profiles $another) -}}
{{- end -}}
{{ toYaml $config }}
{{- else -}}
{{ include "berth.file" (dict "root" . "path" "base/config.yaml") }}
{{- end -}}
{{- end }}

{{/* An image, with the chart's version if it has no tag. */}}
{{- define "berth.image" -}}
{{ .image.repository }}:{{ .image.tag | default .root.Chart.AppVersion }}
{{- end }}
