// Package postgres is the engine for production: PostgreSQL through native pgx
// and a bounded pool.
//
// Transactions are READ COMMITTED. Every promise of a port rests on a single
// statement whose condition the database checks again under the row's lock
// (conditional UPDATE, INSERT … ON CONFLICT DO NOTHING), so a stricter level
// would add retries and no safety; and a statement that waited for such a lock
// then sees what the winner wrote. Engines that are always SERIALIZABLE work
// as well: their conflicts are run again.
//
// Neighbour: store, which gives it statements. It knows no table.
package postgres
