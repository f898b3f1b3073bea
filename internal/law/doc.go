// Package law holds what the law of a place says about who may act for whom, as
// data: jurisdiction packs. Its promise: a pack is understood wholly or refused with
// the file, the path and the reason; each rule names its source and the days on which
// it holds; what is asked for is what holds at an instant, with days that begin where
// the patients live.
//
// The packs that come with the program were written from memory and no lawyer has
// reviewed them; they say so themselves. Neighbours: proxy, access/lifecycle and
// access/matter apply the rules, the composition root loads the packs. It decides
// about nobody.
package law
