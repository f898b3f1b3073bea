//go:build !mutation

package gateway

// standsMeanwhile asks again what backs the token before a batch of entries
// leaves.
func (a *act) standsMeanwhile() (changed bool, err error) { return a.stands() }
