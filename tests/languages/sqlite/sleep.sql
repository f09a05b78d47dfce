SELECT 'before';
.shell sleep 60
