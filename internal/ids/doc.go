// Package ids makes identifiers and secrets: the only user of crypto/rand
// beside internal/keys. Everything it makes is URL-safe text. It stores
// nothing and knows no format of other rooms.
package ids
