//go:build !unix

package transport

import "net"

// rawSocket is never usable here: all writing is done by goroutines, each waiting for its socket.
type rawSocket struct{}

func rawOf(net.Conn) rawSocket { return rawSocket{} }

func (rawSocket) usable() bool { return false }

type rawWrite struct{}

func (*rawWrite) prepare() {}
func (*rawWrite) forget()  {}

func (*rawWrite) now(rawSocket, []byte) (int, error) { return 0, nil }

// some writes all bytes, waiting until the kernel takes them or the socket's deadline.
func (*rawWrite) some(_ rawSocket, socket net.Conn, bytes []byte) (int, error) {
	return socket.Write(bytes)
}
