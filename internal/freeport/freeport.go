package freeport

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// lowest and highest bound the ports that are given. The kernel hands out ports above
// them by itself, to listeners that ask for any and to connections that go out, so
// that a port between a choice and its use, or between the end of a server and its
// next start, is taken by nobody but who asks for just that one.
const lowest, highest = 11_000, 32_000

// apart is how far from each other two processes begin to look.
const apart = 101

// Take gives a loopback address, HOST:PORT, on which nobody listens and which no other
// process that asks here is given while this one lives. Errors: of the machine, such as
// a temporary folder that cannot be written.
func Take() (string, error) {
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("mandate-ports-%d", os.Getuid()))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	top := min(highest, firstOfKernel())
	begin := os.Getpid() * apart
	for i := range top - lowest {
		port := strconv.Itoa(lowest + (begin+i)%(top-lowest))
		address := net.JoinHostPort("127.0.0.1", port)
		switch kept, err := keep(filepath.Join(dir, port)); {
		case err != nil:
			return "", err
		case kept && silent(address):
			return address, nil
		}
	}
	return "", errors.New("freeport: every port is in use")
}

// keep locks a port's file until this process ends, however it ends; the kernel then
// lets go.
func keep(path string) (bool, error) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return false, &os.PathError{Op: "open", Path: path, Err: err}
	}
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return false, unix.Close(fd)
	}
	return true, nil
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
