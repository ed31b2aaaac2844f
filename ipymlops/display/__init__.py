"""How each result looks, as text and as HTML."""
