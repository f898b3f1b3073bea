// Package local is the key provider in a file: key-encryption keys as JSON, for
// their owner alone. It is for development, and for a small installation that
// accepts in so many words that whoever copies the file and the store reads
// both (SE-04). A split file opens only with k of n shares (SE-05).
//
// Neighbour: internal/keys, whose Provider it is. It knows no store.
package local
