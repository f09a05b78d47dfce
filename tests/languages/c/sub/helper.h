const char *größe(void);
