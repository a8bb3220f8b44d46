#!/bin/sh
# Makes new random secrets and prints them; nothing is kept. Run it once for a deployment:
#   sh deploy/make-secrets.sh env > .env                         for docker compose
#   sh deploy/make-secrets.sh k8s | kubectl create -f -          for Kubernetes, in the namespace in use
# In Kubernetes `create` refuses to replace a Secret that is there: the database would still have the old password.
set -eu

# Begins with a letter and has only letters and digits: it stands in URLs, and nats-server reads it as part of its configuration.
random() {
  printf 'p%s' "$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')"
}

names='POSTGRES_PASSWORD NATS_SETUP_PASSWORD NATS_COMMANDS_PASSWORD NATS_PROJECTION_PASSWORD NATS_GATEWAY_PASSWORD NATS_API_PASSWORD NATS_OPERATE_PASSWORD NATS_BACKUP_PASSWORD NATS_RESTORE_PASSWORD'
case "${1:-}" in
  env)
    for name in $names; do printf '%s=%s\n' "$name" "$(random)"; done
    ;;
  k8s)
    printf 'apiVersion: v1\nkind: Secret\nmetadata:\n  name: parley\ntype: Opaque\nstringData:\n'
    for name in $names NATS_ROUTE_PASSWORD; do printf '  %s: %s\n' "$name" "$(random)"; done
    ;;
  *)
    echo "make-secrets: say env or k8s" >&2
    exit 64
    ;;
esac
