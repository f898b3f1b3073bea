package freeport

import (
	"errors"
	"net"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// lowest and highest bound the ports that are given. The kernel hands out ports above
// them by itself, to listeners that ask for any and to connections that go out, so
// that a port between a choice and its use, or between the end of a server and its
// next start, is taken by nobody but who asks for just that one.
const lowest, highest = 11_000, 32_000

const (
	// room is how many ports belong to an address: "mandate dev" also listens at some
	// that follow its own.
	room = 8
	// apart is how many addresses two processes begin to look from each other.
	apart = 37
)

// Take gives a loopback address, HOST:PORT, on which nobody listens and which is given to
// nobody else who asks here while this process lives; nor are the seven ports behind it. Errors: of the machine, such as
// too many open files.
func Take() (string, error) {
	top := min(highest, firstOfKernel())
	begin, addresses := os.Getpid()*apart, (top-lowest)/room
	for i := range addresses {
		port := strconv.Itoa(lowest + (begin+i)%addresses*room)
		address := net.JoinHostPort("127.0.0.1", port)
		switch kept, err := keep(port); {
		case err != nil:
			return "", err
		case kept && silent(address):
			return address, nil
		}
	}
	return "", errors.New("freeport: every port is in use")
}

// keep takes a port's name until this process ends, however it ends; the kernel then
// lets go. The name is that of an abstract Unix socket: like ports, these belong to a
// network namespace, and no folder and no full disk has a part in it.
func keep(port string) (bool, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false, os.NewSyscallError("socket", err)
	}
	err = unix.Bind(fd, &unix.SockaddrUnix{Name: "@mandate-port-" + port})
	if err == nil {
		return true, nil
	}
	if errors.Is(err, unix.EADDRINUSE) {
		return false, unix.Close(fd)
	}
	return false, errors.Join(os.NewSyscallError("bind", err), unix.Close(fd))
}

// silent reports whether nobody listens at an address.
func silent(address string) bool {
	l, err := net.Listen("tcp", address) //nolint:noctx // closed at once
	return err == nil && l.Close() == nil
}

// firstOfKernel is the first port that the kernel gives by itself.
func firstOfKernel() int {
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		return highest
	}
	first, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\t")
	if n, err := strconv.Atoi(first); err == nil && n > lowest {
		return n
	}
	return highest
}
