{{/*
The migration runs before anything else of a release is there, so everything that it needs is a hook, too, in the order
of the weights: account, secret and network policy (-20), then the Job (-10). All of it goes once the migration has
succeeded: the credentials of the database's owner lie in the cluster only while they are used.
*/}}

{{/*
Takes the weight. Argo CD has phases of its own; with these annotations it doesn't guess. Unlike Helm it can also remove
what the Job needed when the Job has failed.
*/}}
{{- define "querygateway.hookAnnotations" -}}
helm.sh/hook: pre-install,pre-upgrade
helm.sh/hook-weight: {{ . | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
argocd.argoproj.io/hook: PreSync
argocd.argoproj.io/sync-wave: {{ . | quote }}
argocd.argoproj.io/hook-delete-policy: BeforeHookCreation,HookSucceeded{{ if eq . "-20" }},HookFailed{{ end }}
{{- end }}

