<?php echo "unfinished
