// Package webhook is the channel that hands notices to an operator's own
// system by HTTP: one POST per notice, signed, at least once. What becomes of
// it there (mail, text message) is that system's business. A notice holds no
// PHI, only ids and the name of a text.
package webhook
