// Package awsconf says how services of AWS, and those that speak their
// protocols, are reached: region, address and where credentials come from, the
// same for keys and for backups. It promises that nothing is asked of the
// network before the first call of a service, and that no credential stands in
// a setting: they come from where AWS's own tools take them, see Load. It owns no
// service; those are in internal/keys/kms and beside backups.
package awsconf
