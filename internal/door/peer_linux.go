package door

import (
	"net"

	"golang.org/x/sys/unix"
)

// peer gives the user at the other end, as the kernel noted it when the
// connection was made.
func peer(c *net.UnixConn) (uid int, known bool, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, false, err
	}
	var cred *unix.Ucred
	var asked error
	err = raw.Control(func(fd uintptr) { cred, asked = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	if err == nil {
		err = asked
	}
	if err != nil {
		return 0, false, err
	}
	return int(cred.Uid), true, nil
}
