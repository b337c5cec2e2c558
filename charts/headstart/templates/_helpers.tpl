{{/* The name of every object: the release's, with the chart's in it. */}}
{{- define "headstart.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "headstart.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "headstart.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "headstart.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "headstart.labels" -}}
{{ include "headstart.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "headstart.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{- printf "%s@%s" .repository .digest -}}
{{- else -}}
{{- printf "%s:%s" .repository (.tag | default $.Chart.AppVersion) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* What every pod of this chart has in common. */}}
{{- define "headstart.podBasics" -}}
automountServiceAccountToken: true
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.podSecurityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "headstart.containerBasics" -}}
image: {{ include "headstart.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- with .Values.securityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* "true" where everyone with view, edit or admin gets the same on ScalingPolicies. */}}
{{- define "headstart.aggregate" -}}
{{- if kindIs "invalid" .Values.rbac.aggregate -}}
{{- empty .Values.watchNamespaces -}}
{{- else -}}
{{- .Values.rbac.aggregate -}}
{{- end -}}
{{- end -}}

{{/* Flags that name the mounted files of prometheus.existingSecret. */}}
{{- define "headstart.credentialFlags" -}}
{{- $keys := dict "bearer-token" .bearerTokenKey "basic-auth" .basicAuthKey "ca" .caKey "client-certificate" .clientCertificateKey "client-key" .clientKeyKey -}}
{{- range $what, $key := $keys }}
{{- if $key }}
- {{ printf "--prometheus-%s-file=/etc/headstart/prometheus/%s" $what $key | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{/*
All that the operator may do, in all namespaces or in each watched one. Events are core ones. No right
on CRDs and namespaces: the operator does not scan for them. Whatever holds other people's secrets or
files is named; neither list nor watch there, those would show all of them.
*/}}
{{- define "headstart.rules" -}}
- apiGroups: [headstart.dev]
  resources: [scalingpolicies]
  verbs: [list, watch]
- apiGroups: [headstart.dev]
  resources: [scalingpolicies/status]
  verbs: [patch]
{{- with .Values.artifactConfigMaps }}
# Trained policies, each by its name.
- apiGroups: [""]
  resources: [configmaps]
  resourceNames: {{ toJson . }}
  verbs: [get]
{{- end }}
{{- with .Values.prometheusSecrets }}
# What policies authenticate with at their own Prometheus, each by its name.
- apiGroups: [""]
  resources: [secrets]
  resourceNames: {{ toJson . }}
  verbs: [get]
{{- end }}
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch]
- apiGroups: [""]
  resources: [resourcequotas]
  verbs: [list, watch]
# An event that repeats is counted, not written again.
- apiGroups: [""]
  resources: [events]
  verbs: [create, patch]
{{- range .Values.scalableKinds }}
- apiGroups: [{{ .apiGroup | quote }}]
  resources:
    {{- range .resources }}
    - {{ . }}
    {{- end }}
  verbs: [get, list, watch]
- apiGroups: [{{ .apiGroup | quote }}]
  resources:
    {{- range .resources }}
    - {{ . }}/scale
    {{- end }}
  verbs: [get, patch]
{{- end }}
# Which rollout is stuck.
- apiGroups: [apps]
  resources: [replicasets]
  verbs: [get, list]
# Who else scales the same workload. In mode Assist the operator raises an HPA's minReplicas.
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [list, watch{{ if .Values.assist.enabled }}, patch{{ end }}]
- apiGroups: [keda.sh]
  resources: [scaledobjects]
  verbs: [list, watch]
{{- end -}}

{{/*
What the operator may do in its own namespace alone: elect a leader, and look for the stop switch.
Creating cannot be limited to a name: the API server learns the name too late.
*/}}
{{- define "headstart.ownRules" -}}
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [create]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [{{ include "headstart.fullname" . }}]
  verbs: [get, update, patch]
- apiGroups: [""]
  resources: [configmaps]
  resourceNames: [headstart-stop]
  verbs: [get]
{{- end -}}
