-- The time, and all.
return entries({ now() })
