package main

import (
	"context"
	"errors"
	"os"
	"sync"
)

// floorStore is what the floor keeps. Each method is one bare commit, or one
// read where it says so.
type floorStore interface {
	// Issue keeps a replay guard and a token. Errors: the guard exists.
	Issue(ctx context.Context, guard, token []byte) error
	// Begin keeps an authorization request of somebody who is signed in. Errors, of
	// Pending and Decide too: no such session.
	Begin(ctx context.Context, session []byte, id, params string) error
	// Pending gives it: one read.
	Pending(ctx context.Context, session []byte, id string) (params string, err error)
	// Decide keeps the code of a request and gives the request.
	Decide(ctx context.Context, session []byte, id string, code []byte) (params string, err error)
	// Redeem uses a code up, keeps a token and gives the request. Errors: no such
	// unused code.
	Redeem(ctx context.Context, code, token []byte) (params string, err error)
	// Seed keeps a refresh token, Rotate replaces one. Errors of Rotate: no such
	// unused token.
	Seed(ctx context.Context, token []byte) error
	Rotate(ctx context.Context, token, next []byte) error
	// Known reads a token: one read.
	Known(ctx context.Context, token []byte) error
	Close() error
}

// fileStore is the floor of the embedded engine: a commit is an append to one
// file, synced before the answer. Appends that arrive during a sync share the
// next one, as the group commit of the engine does. It reads nothing and cannot
// tell a replay: that is less work than any store, which is what a floor is for.
type fileStore struct {
	file *os.File

	mu      sync.Mutex
	arrived sync.Cond
	pending []byte
	waiting []chan error
	// requests are kept by their id, and by their code once it is made.
	requests map[string]string
	closed   bool
	done     chan struct{}
}

func openFileStore(path string) (*fileStore, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	s := &fileStore{file: f, requests: map[string]string{}, done: make(chan struct{})}
	s.arrived.L = &s.mu
	go s.commit()
	return s, nil
}

// commit writes and syncs what has arrived, again and again.
func (s *fileStore) commit() {
	defer close(s.done)
	for {
		s.mu.Lock()
		for len(s.waiting) == 0 && !s.closed {
			s.arrived.Wait()
		}
		batch, waiting := s.pending, s.waiting
		s.pending, s.waiting = nil, nil
		s.mu.Unlock()
		if len(waiting) == 0 {
			return
		}
		_, err := s.file.Write(batch)
		if err == nil {
			err = s.file.Sync()
		}
		for _, w := range waiting {
			w <- err
		}
	}
}

func (s *fileStore) append(parts ...[]byte) error {
	answer := make(chan error, 1)
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return errors.New("the file is closed")
	}
	for _, p := range parts {
		s.pending = append(s.pending, p...)
	}
	s.pending = append(s.pending, '\n')
	s.waiting = append(s.waiting, answer)
	s.arrived.Signal()
	s.mu.Unlock()
	return <-answer
}

func (s *fileStore) Issue(_ context.Context, guard, token []byte) error {
	return s.append(guard, token)
}

func (s *fileStore) Begin(_ context.Context, session []byte, id, params string) error {
	s.note(id, params)
	return s.append(session, []byte(id), []byte(params))
}

func (s *fileStore) Pending(_ context.Context, _ []byte, id string) (string, error) {
	return s.noted(id)
}

func (s *fileStore) Decide(_ context.Context, session []byte, id string, code []byte) (string, error) {
	params, err := s.noted(id)
	if err != nil {
		return "", err
	}
	s.note(string(code), params)
	return params, s.append(session, []byte(id), code)
}

func (s *fileStore) Redeem(_ context.Context, code, token []byte) (string, error) {
	params, err := s.noted(string(code))
	if err != nil {
		return "", err
	}
	return params, s.append(code, token)
}

func (s *fileStore) note(key, params string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests[key] = params
}

func (s *fileStore) noted(key string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	params, ok := s.requests[key]
	if !ok {
		return "", errReplay
	}
	return params, nil
}

func (s *fileStore) Seed(_ context.Context, token []byte) error { return s.append(token) }

func (s *fileStore) Rotate(_ context.Context, token, next []byte) error { return s.append(token, next) }

func (s *fileStore) Known(context.Context, []byte) error { return nil }

// Close waits for the appends on their way.
func (s *fileStore) Close() error {
	s.mu.Lock()
	s.closed = true
	s.arrived.Signal()
	s.mu.Unlock()
	<-s.done
	return s.file.Close()
}
