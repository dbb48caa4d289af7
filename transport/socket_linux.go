package transport

import (
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// notSentLowWater keeps the kernel from swallowing megabytes for a reader that stands still.
const notSentLowWater = 16 << 10

// tune sets what makes a socket tell early that its peer doesn't read, or isn't there. A socket
// that can't be tuned works, but keeps more in the kernel.
func tune(socket net.Conn, patience time.Duration) {
	if secured, ok := socket.(interface{ NetConn() net.Conn }); ok {
		socket = secured.NetConn()
	}
	raw, ok := socket.(syscall.Conn)
	if !ok {
		return
	}
	control, err := raw.SyscallConn()
	if err != nil {
		return
	}
	_ = control.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, notSentLowWater)
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(patience.Milliseconds()))
	})
}
