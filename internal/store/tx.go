package store

import (
	"context"
	"database/sql"
	"errors"
)

// Tx is one transaction, handed to the function given to View or Update. It
// must not be kept.
type Tx struct {
	ctx   context.Context
	stmts interface {
		stmt(ctx context.Context, query string) (*sql.Stmt, error)
	}
}

// exec runs a statement and gives the number of rows that it touched.
func (tx *Tx) exec(query string, args ...any) (int64, error) {
	stmt, err := tx.stmts.stmt(tx.ctx, query)
	if err != nil {
		return 0, err
	}
	res, err := stmt.ExecContext(tx.ctx, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// get reads at most one row into dest and says whether there was one.
func (tx *Tx) get(query string, args []any, dest ...any) (bool, error) {
	stmt, err := tx.stmts.stmt(tx.ctx, query)
	if err != nil {
		return false, err
	}
	err = stmt.QueryRowContext(tx.ctx, args...).Scan(dest...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// each reads all rows; scan is called once per row with the row's Scan.
func (tx *Tx) each(query string, args []any, scan func(row func(dest ...any) error) error) error {
	stmt, err := tx.stmts.stmt(tx.ctx, query)
	if err != nil {
		return err
	}
	rows, err := stmt.QueryContext(tx.ctx, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// list reads all rows into a slice, one call of scan per row. The slice is
// never nil: an empty answer is an empty list, not an absent one.
func list[T any](tx *Tx, query string, args []any, scan func(row func(dest ...any) error) (T, error)) ([]T, error) {
	all := []T{}
	err := tx.each(query, args, func(row func(dest ...any) error) error {
		one, err := scan(row)
		all = append(all, one)
		return err
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}
