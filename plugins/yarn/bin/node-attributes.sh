#!/bin/sh
# Marks this node for YARN if it is among the best to read the given paths: the provider script of a NodeManager
# (yarn.nodemanager.node-attributes.provider=script). docs/guides/yarn.md has the configuration.
#
#   node-attributes.sh URL NODES ATTRIBUTE PATH...
#
# URL: web address of the Alluxio master. NODES: how many nodes are marked. ATTRIBUTE: their name for YARN, below nm.yarn.io/.
# When the master does not answer or refuses, it fails, and the NodeManager leaves the node as it was.
set -eu
[ $# -ge 4 ] || { echo "usage: $0 URL NODES ATTRIBUTE PATH..." >&2; exit 64; }
url=$1 nodes=$2 attribute=$3
shift 3
case $nodes in '' | *[!0-9]*) echo "$0: NODES is a number, not $nodes" >&2; exit 64 ;; esac
case $attribute in '' | *[!A-Za-z0-9_-]*) echo "$0: ATTRIBUTE is a word, not $attribute" >&2; exit 64 ;; esac
paths=
for path in "$@"; do
  case $path in *[\"\\]*) echo "$0: a path with a quote or a backslash: $path" >&2; exit 64 ;; esac
  paths=$paths${paths:+,}\"$path\"
done
# Names by which hints may know this node; set it where YARN starts its NodeManager under another one.
names="${ALLUXIO_NODE_NAME:-$(hostname -f 2>/dev/null || hostname) $(hostname)}"

question="{\"paths\":[$paths],\"blocks\":false,\"for\":\"yarn\",\"engine\":{\"nodes\":$nodes,\"attribute\":\"$attribute\"}}"
answer=$(curl -sSf --max-time 10 -H 'content-type: application/json' -d "$question" \
  "$url/api/v1/hints/rank?user.name=${ALLUXIO_USER:-$(id -un)}")

# Said either way: a ResourceManager keeps an attribute that is no longer told.
best=false
for name in $names; do
  # The hosts to be marked stand in the answer as "HOST:ATTRIBUTE=true", whole and in quotes.
  if printf %s "$answer" | grep -qiF "\"$name:$attribute=true\""; then best=true; fi
done
echo "NODE_ATTRIBUTE:$attribute,STRING,$best"
