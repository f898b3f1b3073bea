// Package backup owns the form of a backup: one encrypted and signed file that
// holds every row of a store, and the place it is kept in. Its promise: who can
// write backups cannot read them; a backup that was changed, cut or forged is
// refused, naming where; what is there is never overwritten.
//
// The file: one line "mandate-backup/1", one line of Header as JSON, one line
// with the encapsulated key, then chunks (four bytes of length, then the
// sealed text), then an Ed25519 signature over all before. Each backup has a
// key of its own, made by HPKE (RFC 9180) with the hybrid KEM ML-KEM-768 and
// X25519 for the public half of a key that is kept elsewhere; the chunks are
// sealed with AES-256-GCM under counting nonces, the last one marked as such.
// Inside, compressed, is one JSON value a line: the Manifest, then for each
// table its name and columns, its rows and a sum over them, then the totals.
//
// Neighbours: store gives and takes the rows; internal/journal keeps what was
// revoked since. It knows no table and no engine.
package backup
