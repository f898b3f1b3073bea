package store

import "io/fs"

// NewWith is New with other migrations than the program's.
func NewWith(e Engine, files fs.FS) *Store {
	s := New(e, Options{})
	s.migrations = files
	return s
}

// Classify gives what the plan says about a migration.
func Classify(text string) []PlannedStatement { return classify(text) }
