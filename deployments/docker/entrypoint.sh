#!/bin/sh
# Turn each file under /run/secrets into the environment variable of its name, then become the command:
# /run/secrets/GOOGLE_MAPS_API_KEY is read as GOOGLE_MAPS_API_KEY. No secret stands in the compose file or the image.
set -eu
for file in "${SECRETS_FOLDER:-/run/secrets}"/*; do
    [ -f "$file" ] || continue
    export "$(basename "$file")=$(cat "$file")"
done
# The emulator wants a key as Google does, and takes any.
if [ "${GEOLOCATE_WORLD:-}" = emulated ]; then
    export GOOGLE_MAPS_API_KEY="${GOOGLE_MAPS_API_KEY:-emulator-key}"
fi
exec "$@"
