"""Running a command where /etc/cella/ceiling.conf says what a test wants.

The real path is read by the real keeper: in a mount namespace of its own /etc is covered by a layer
that can be written, so that the host's own /etc stays as it is.  Only root can do that.
"""

# /etc becomes a layer over itself; the file is written, then AFTER and the rest of the words are run.
_COVER = """
set -e
mount -t tmpfs none "$1"
mkdir "$1/upper" "$1/work"
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$1/upper,workdir=$1/work" /etc
mkdir -p /etc/cella
printf %s "$2" > /etc/cella/ceiling.conf
chmod 644 /etc/cella/ceiling.conf
sh -c "$3"
shift 3
cd /
exec "$@"
"""


def under(directory, text, words, after=":"):
    """The words of a command that runs `words` so; `directory` is any that nobody needs meanwhile."""
    return ["unshare", "-m", "--", "sh", "-c", _COVER, "sh", str(directory), text, after, *words]
