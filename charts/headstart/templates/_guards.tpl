{{/* Values that are each right, but not together: said before anything is installed. */}}
{{- define "headstart.guards" -}}
{{- $image := .Values.image -}}
{{- if and $image.tag $image.digest -}}
{{- fail "image.tag and image.digest are both set; leave one of them empty: a digest already names one image" -}}
{{- end -}}
{{- if and (gt (int .Values.replicas) 1) (not .Values.leaderElection.enabled) -}}
{{- fail (printf "replicas is %d and leaderElection.enabled is false: all of them would scale every workload; set replicas to 1 or elect a leader" (int .Values.replicas)) -}}
{{- end -}}
{{- if and .Values.watchNamespaces .Values.rbac.aggregate -}}
{{- fail "rbac.aggregate is true and watchNamespaces is not empty: aggregated roles are ClusterRoles, which an operator of some namespaces does not bring; unset rbac.aggregate" -}}
{{- end -}}
{{- if and .Values.rbac.aggregate (not .Values.rbac.create) -}}
{{- fail "rbac.aggregate is true and rbac.create is false; set both, or unset rbac.aggregate" -}}
{{- end -}}
{{- if not (or .Values.serviceAccount.create .Values.serviceAccount.name) -}}
{{- fail "serviceAccount.create is false and serviceAccount.name is empty: every pod of the namespace would get the operator's rights; name a ServiceAccount" -}}
{{- end -}}
{{- if and .Values.assist.reset.enabled (not .Values.assist.enabled) -}}
{{- fail "assist.reset.enabled is true and assist.enabled is false: the CronJob may not change what it would reset; set both" -}}
{{- end -}}
{{- include "headstart.credentialGuards" . -}}
{{- range .Values.extraObjects -}}
{{- $text := kindIs "string" . | ternary . (toYaml .) -}}
{{- if and $.Values.crds.enabled (regexMatch "(?m)^kind: *[\"']?ScalingPolicy\\b" $text) -}}
{{- fail "extraObjects holds a ScalingPolicy and crds.enabled is true: in one release Helm creates it before the API server knows its kind; put policies in a release of their own" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "headstart.credentialGuards" -}}
{{- $secret := .Values.prometheus.existingSecret -}}
{{- $keys := compact (list $secret.bearerTokenKey $secret.basicAuthKey $secret.caKey $secret.clientCertificateKey $secret.clientKeyKey) -}}
{{- if and $keys (not $secret.name) -}}
{{- fail (printf "prometheus.existingSecret names the key %s, but no Secret; set prometheus.existingSecret.name" (first $keys)) -}}
{{- end -}}
{{- if and $secret.name (not $keys) -}}
{{- fail (printf "prometheus.existingSecret.name is %s, but none of its keys is named; set bearerTokenKey, basicAuthKey, caKey, or clientCertificateKey and clientKeyKey" $secret.name) -}}
{{- end -}}
{{- if and $secret.bearerTokenKey $secret.basicAuthKey -}}
{{- fail "prometheus.existingSecret.bearerTokenKey and .basicAuthKey are both set; a request carries one of them" -}}
{{- end -}}
{{- if ne (empty $secret.clientCertificateKey) (empty $secret.clientKeyKey) -}}
{{- fail "prometheus.existingSecret.clientCertificateKey and .clientKeyKey belong together; set both or none" -}}
{{- end -}}
{{- if and (or $secret.name .Values.prometheus.headers) (not .Values.prometheus.address) -}}
{{- fail "prometheus.existingSecret and prometheus.headers go to prometheus.address alone, which is empty; for a policy's own address use its rate.prometheus.authentication" -}}
{{- end -}}
{{- end -}}
