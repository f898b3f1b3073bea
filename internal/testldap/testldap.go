package testldap

import (
	"crypto/tls"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/jimlambrt/gldap"

	"github.com/mandate-health/mandate/internal/freeport"
)

// The service account, and where people are.
const (
	ServiceDN       = "cn=mandate,ou=services,dc=lakeside,dc=example"
	ServicePassword = "service secret"
	BaseDN          = "ou=people,dc=lakeside,dc=example"
	// InTheClear stands before the name of a bind that anybody could read.
	InTheClear = "in the clear: "
)

// patience bounds one connection, and how long a start takes.
const patience = 20 * time.Second

// Person is one entry.
type Person struct {
	UID, EntryUUID, Password string
	// Code and Text are the answer to a bind with the right password, 0 lets it in.
	Code int
	Text string
	// Policy is what the control of password policy says of a bind that succeeds, -1
	// and 0 nothing: 2 that the password must be changed.
	Policy int
}

// DN gives the name of the entry.
func (p Person) DN() string { return "uid=" + p.UID + "," + BaseDN }

// Server is a directory on loopback.
type Server struct {
	// Address is HOST:PORT.
	Address string

	tls      *tls.Config
	implicit bool
	t        testing.TB

	mu      sync.Mutex
	server  *gldap.Server
	ended   chan struct{}
	people  []Person
	bound   map[int]string
	secured map[int]bool
	binds   []string
	filters []string
	long    int
	slow    chan struct{}
}

// Start listens until the test ends. implicit speaks TLS from the first byte; else
// StartTLS is offered.
func Start(t testing.TB, certificate tls.Certificate, implicit bool) *Server {
	t.Helper()
	address, err := freeport.Take()
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{Address: address, implicit: implicit, t: t, tls: &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}}
	s.Up()
	t.Cleanup(s.Down)
	return s
}

// Up starts the server again.
func (s *Server) Up() {
	s.t.Helper()
	server, err := gldap.NewServer(gldap.WithLogger(hclog.NewNullLogger()), gldap.WithReadTimeout(patience), gldap.WithWriteTimeout(patience))
	if err != nil {
		s.t.Fatal(err)
	}
	mux, err := gldap.NewMux()
	if err != nil {
		s.t.Fatal(err)
	}
	for _, err := range []error{
		mux.Bind(s.bind), mux.Search(s.search), mux.ExtendedOperation(s.startTLS, gldap.ExtendedOperationStartTLS), server.Router(mux),
	} {
		if err != nil {
			s.t.Fatal(err)
		}
	}
	var how []gldap.Option
	if s.implicit {
		how = append(how, gldap.WithTLSConfig(s.tls))
	}
	ended := make(chan struct{})
	s.mu.Lock()
	s.server, s.ended, s.bound, s.secured = server, ended, map[int]string{}, map[int]bool{}
	s.mu.Unlock()
	go func() {
		defer close(ended)
		if err := server.Run(s.Address, how...); err != nil {
			s.t.Errorf("the directory ended: %v", err)
		}
	}()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for late := time.After(patience); !server.Ready(); {
		select {
		case <-tick.C:
		case <-late:
			s.t.Fatal("the directory does not start")
		}
	}
}

// Down stops it; a second call does nothing.
func (s *Server) Down() {
	s.mu.Lock()
	server, ended := s.server, s.ended
	s.server = nil
	s.mu.Unlock()
	if server == nil {
		return
	}
	if err := server.Stop(); err != nil {
		s.t.Error(err)
	}
	<-ended
}

// Put sets who there is.
func (s *Server) Put(people ...Person) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.people = people
}

// Long makes answers so many bytes longer.
func (s *Server) Long(bytes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.long = bytes
}

// Stall lets searches wait until the function that it gives is called.
func (s *Server) Stall() (release func()) {
	wait := make(chan struct{})
	s.mu.Lock()
	s.slow = wait
	s.mu.Unlock()
	return func() {
		s.mu.Lock()
		s.slow = nil
		s.mu.Unlock()
		close(wait)
	}
}

// Asked gives the filters of all searches and the names of all binds, and forgets
// them.
func (s *Server) Asked() (filters, binds []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	filters, binds, s.filters, s.binds = s.filters, s.binds, nil, nil
	return filters, binds
}

func (s *Server) bind(w *gldap.ResponseWriter, r *gldap.Request) {
	out := r.NewBindResponse(gldap.WithResponseCode(gldap.ResultInvalidCredentials))
	defer func() { _ = w.Write(out) }()
	m, err := r.GetSimpleBindMessage()
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	name := m.UserName
	if !s.implicit && !s.secured[r.ConnectionID()] {
		name = InTheClear + name
	}
	s.binds = append(s.binds, name)
	s.bound[r.ConnectionID()] = ""
	i := slices.IndexFunc(s.people, func(p Person) bool { return strings.EqualFold(p.DN(), m.UserName) })
	switch {
	case m.Password == "":
		// Nobody's bind succeeds (RFC 4513 §5.1.2).
		out.SetResultCode(gldap.ResultSuccess)
	case m.UserName == ServiceDN && m.Password == ServicePassword:
		s.bound[r.ConnectionID()] = ServiceDN
		out.SetResultCode(gldap.ResultSuccess)
	case i >= 0 && string(m.Password) == s.people[i].Password:
		p := s.people[i]
		out.SetResultCode(p.Code)
		out.SetDiagnosticMessage(p.Text)
		if p.Policy > 0 {
			c, err := gldap.NewControlBeheraPasswordPolicy(gldap.WithErrorCode(uint(p.Policy)))
			if err == nil {
				out.SetControls(c)
			}
		}
	}
}

func (s *Server) search(w *gldap.ResponseWriter, r *gldap.Request) {
	out := r.NewSearchDoneResponse(gldap.WithResponseCode(gldap.ResultInsufficientAccessRights))
	defer func() { _ = w.Write(out) }()
	m, err := r.GetSearchMessage()
	if err != nil {
		return
	}
	s.mu.Lock()
	slow := s.slow
	s.mu.Unlock()
	if slow != nil {
		<-slow
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.filters = append(s.filters, m.Filter)
	if s.bound[r.ConnectionID()] != ServiceDN {
		return
	}
	out.SetResultCode(gldap.ResultSuccess)
	if !strings.EqualFold(m.BaseDN, BaseDN) {
		out.SetResultCode(gldap.ResultNoSuchObject)
		return
	}
	if m.Scope == gldap.BaseObject {
		_ = w.Write(r.NewSearchResponseEntry(BaseDN))
		return
	}
	n := int64(0)
	for _, p := range s.people {
		if !p.matches(m.Filter) {
			continue
		}
		if n++; m.SizeLimit > 0 && n > m.SizeLimit {
			out.SetResultCode(gldap.ResultSizeLimitExceeded)
			return
		}
		shown := map[string][]string{}
		for _, a := range m.Attributes {
			if strings.EqualFold(a, "entryUUID") && p.EntryUUID != "" {
				shown["entryUUID"] = []string{p.EntryUUID + strings.Repeat("x", s.long)}
			}
		}
		_ = w.Write(r.NewSearchResponseEntry(p.DN(), gldap.WithAttributes(shown)))
	}
}

func (s *Server) startTLS(w *gldap.ResponseWriter, r *gldap.Request) {
	out := r.NewExtendedResponse(gldap.WithResponseCode(gldap.ResultSuccess))
	out.SetResponseName(gldap.ExtendedOperationStartTLS)
	if err := w.Write(out); err != nil {
		return
	}
	if r.StartTLS(s.tls) == nil {
		s.mu.Lock()
		s.secured[r.ConnectionID()] = true
		s.mu.Unlock()
	}
}
