//go:build !linux

package transport

// watcher watches nothing here: a goroutine waits at each socket.
type watcher struct{}

func (*watcher) watch(*Conn) bool { return false }
func (*watcher) forget(*Conn)     {}
func (*watcher) close()           {}

type rawRead struct{}

func (*rawRead) prepare() {}

func (*rawRead) now(rawSocket, []byte) (int, error) { return 0, errNothing }
