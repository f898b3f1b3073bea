// Package bucket keeps files in an object store that speaks the protocol of
// Amazon S3, for backups and for the revocation journal. Its promise: what was
// put is there whole, with a SHA-256 that the store checked, or not at all; where
// immutability is asked for, the store has confirmed it for this very object; and
// what was put first under a name is what is read, whatever came later, where the
// store keeps versions under Object Lock.
//
// Neighbours: internal/awsconf says how the service is reached. It knows neither
// backups nor journals; internal/backup and internal/journal say which few of
// these methods they need.
package bucket
