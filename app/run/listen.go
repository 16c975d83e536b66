package run

import (
	"errors"
	"fmt"
	"net"
	"syscall"
)

// Spare says which ports may be any free ones where their configured address is in use. A first try
// should not fail for a busy 8080, but an address that a person gave is not replaced.
type Spare struct{ HTTP, Admin bool }

// ports are the listeners of a process.
type ports struct{ public, admin net.Listener }

// listen opens both ports. They close with the Loop.
func (l *Loop) listen(o Options) (*ports, error) {
	var p ports
	var err error
	if p.public, err = l.listenOn(o.Config.HTTP, "http", o.Spare.HTTP); err != nil {
		return nil, err
	}
	if p.admin, err = l.listenOn(o.Config.Admin, "admin", o.Spare.Admin); err != nil {
		return nil, err
	}
	l.HTTP, l.Admin = reachable(p.public.Addr()), reachable(p.admin.Addr())
	return &p, nil
}

// listenOn listens on an address, which the setting of this name gives.
func (l *Loop) listenOn(address, setting string, spare bool) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if spare && errors.Is(err, syscall.EADDRINUSE) {
		host, _, _ := net.SplitHostPort(address) // net.Listen has understood it
		listener, err = net.Listen("tcp", net.JoinHostPort(host, "0"))
	}
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w (give another address with --%s, or port 0 for any free one)", address, err, setting)
	}
	l.closers = append(l.closers, func() error {
		if err := listener.Close(); !errors.Is(err, net.ErrClosed) { // the server closes it, too
			return err
		}
		return nil
	})
	return listener, nil
}

// reachable returns an address by which a client on this machine reaches a listener.
func reachable(a net.Addr) string {
	host, port, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}
