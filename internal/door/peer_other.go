//go:build !linux

package door

import "net"

// peer does not know: the socket's mode alone keeps others out.
func peer(*net.UnixConn) (uid int, known bool, err error) { return 0, false, nil }
