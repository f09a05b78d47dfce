import io

import pandas as pd

table = pd.read_csv(io.StringIO("city,year,rain\nKöln,2020,3\nKöln,2021,5\nBonn,2021,4\n"))
print(table.groupby("city")["rain"].mean().to_dict())
table.to_csv("out.csv", index=False)
print(len(pd.read_csv("out.csv").query("rain > 3")))
print(pd.date_range("2024-01-30", periods=3).strftime("%d.%m.").tolist())
# Output:
# {'Bonn': 4.0, 'Köln': 4.0}
# 2
# ['30.01.', '31.01.', '01.02.']
