#!/usr/bin/env bash
# Makes certificates to try TLS with: an authority, the server's certificate and one for callers. Not for real use: the
# authority's key lies beside them.   usage: deploy/dev-certs.sh FOLDER [HOST...]   (localhost, 127.0.0.1 and ::1 are always in)
set -euo pipefail
fail() { echo "dev-certs: $*" >&2; exit 1; }
[ $# -ge 1 ] || fail "usage: deploy/dev-certs.sh FOLDER [HOST...]"
command -v openssl >/dev/null || fail "openssl is missing; install the package openssl"
folder=$1
shift
[ ! -e "$folder/ca.pem" ] || fail "$folder/ca.pem is there already; give another folder"
umask 077
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)

names="DNS:localhost,IP:127.0.0.1,IP:::1"
for host in "$@"; do
  case "$host" in
    *[!0-9A-Za-z.:-]* | '') fail "'$host' is no name and no address of a host" ;;
    *:* | *[!0-9.]*) [[ $host == *:* ]] && names+=",IP:$host" || names+=",DNS:$host" ;;
    *) names+=",IP:$host" ;;
  esac
done

# key NAME: a new private key in NAME.key
key() { openssl ecparam -genkey -name prime256v1 -noout -out "$folder/$1.key"; }

# signed NAME EXTENSIONS: a certificate for NAME.key from the authority
signed() {
  openssl req -new -key "$folder/$1.key" -subj "/CN=deconvoy $1" -out "$folder/$1.csr"
  openssl x509 -req -in "$folder/$1.csr" -CA "$folder/ca.pem" -CAkey "$folder/ca.key" -set_serial "0x$(openssl rand -hex 8)" \
    -days 825 -extfile <(printf '%s\n' "$2") -out "$folder/$1.pem" 2>/dev/null
  rm "$folder/$1.csr"
}

key ca
openssl req -x509 -new -key "$folder/ca.key" -subj "/CN=deconvoy trial authority" -days 3650 \
  -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign,cRLSign" -out "$folder/ca.pem"
key server
signed server "subjectAltName=$names
extendedKeyUsage=serverAuth"
key client
signed client "extendedKeyUsage=clientAuth"
chmod 644 "$folder"/*.pem

cat <<EOF
# for the server's configuration file:
[auth]
tokens = "required"

[tls]
certificate = "$folder/server.pem"
key = "$folder/server.key"
# client_ca = "$folder/ca.pem"    # to ask callers for a certificate, too

# for callers:
#   deconvoy login --server HOST:7450 --tls-root $folder/ca.pem
#   with client_ca also --tls-certificate $folder/client.pem --tls-key $folder/client.key
EOF
