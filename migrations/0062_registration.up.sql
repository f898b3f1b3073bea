-- How clients register at this tenant; empty: as the server says.
ALTER TABLE tenant ADD COLUMN registration TEXT NOT NULL DEFAULT '';
